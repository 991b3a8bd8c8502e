"""Networks on the images of other clinics: `busjax unseen`."""
