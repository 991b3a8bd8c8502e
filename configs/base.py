"""Every field, its default, its meaning and its unit; variants override what differs.

Any field is set on the command line as --config.<section>.<field>=<value>; its range stands in
`fields.py`.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """Returns the default configuration (a plain U-Net with a classifier)."""
    config = ConfigDict()
    config.name = "base"  # names the run and its default folder, runs/<name>
    config.seed = 0  # initial weights, order of the data, augmentation, dropout

    config.model = _model()
    config.data = _data()
    config.augment = _augment()
    config.loss = _loss()
    config.optim = _optim()
    config.train = _train()
    config.cv = _cv()
    config.inference = _inference()
    config.parallel = _parallel()
    return config


def _model() -> ConfigDict:
    model = ConfigDict()
    model.name = "unet"  # decoder: 'unet' | 'gated_unet' | 'unetpp'
    model.encoder = "conv"  # 'conv' | 'efficientnet_lite0' | 'efficientnet_lite1' | '..._lite2'
    model.encoder_weights = ""  # '': drawn | 'imagenet' (extra 'pretrained') | a safetensors file
    model.encoder_norms = "trained"  # EfficientNet's batch norms: 'trained' | 'frozen' as published
    model.image_channels = 1  # 1: grey image; 3: the grey image three times
    model.width = 16  # channels of the finest level; doubled at every level below
    model.depth = 4  # times 'conv' halves the image (EfficientNet: 5); its size divides by 2^depth
    model.norm = "batch"  # 'batch' (over all devices) | 'group' | 'instance'
    model.norm_groups = 8  # groups of the group norm
    model.batch_norm_momentum = 0.9  # of the running statistics of the batch norm
    model.activation_slope = 0.0  # slope of the ReLU below zero; 0.1: the leaky ReLU of the paper
    model.dropout = 0.0  # share of the channels dropped after each block of the encoder and decoder
    model.upsample = "transposed"  # 'transposed' (2x2 convolution) | 'bilinear' (then 1x1)
    model.gate = "unit"  # gates of 'gated_unet': 'unit' (ACSNet) | 'attention' (Oktay)
    model.deep_supervision = True  # U-Net++: a mask from each of X[0,1] .. X[0,depth]
    model.prune = 0  # U-Net++ at inference: take the mask of X[0,prune]; 0: of X[0,depth]
    model.classifier_hidden = 128  # units of the classifier's hidden layer
    model.classifier_dropout = 0.3  # share of the classifier's pooled features dropped
    model.refine = (
        "none"  # 'none' | 'hard' (class normal: empty mask) | 'soft' (mask * p(lesion)) |
    )
    # 'both' (hard, and a lesion with an empty mask becomes normal)
    model.dtype = "auto"  # of the activations: 'float32' | 'bfloat16' | 'auto' (by the hardware)
    model.ops = "auto"  # 'auto' (by the backend) | 'reference' | 'cpu' | 'portable' (for export)
    return model


def _data() -> ConfigDict:
    data = ConfigDict()
    # 'busi' | 'table' (a CSV lists the images) | 'tfds' | 'phantom' | 'auto' (BUSI, else phantoms)
    data.source = "auto"
    # the folder, or several joined by ','; '': $BUSI_DIR, else data/Dataset_BUSI_with_GT
    data.dir = ""
    data.table = _table()
    data.tfds = "busi/all"  # for 'tfds': 'busi/all' | 'busi/curated_450' | 'busi/letter_529'
    data.tfds_dir = ""  # folder of the prepared TFDS sets; '': $TFDS_DATA_DIR, else in the home
    data.curation = (
        "none"  # 'none' | 'audit' (made once) | a file: an audit, or a list made by hand
    )
    data.groups = ""  # 'audit' or a file, as above, taken for its groups only; '': by curation
    data.on_bad = "error"  # a bad file: 'error' (name them all and stop) | 'skip' (list, go on)
    data.image_size = 128  # pixels a side, after resizing
    data.phantom_count = 400  # synthetic images, the classes in turn
    data.phantom_seed = 0  # another seed, other phantoms
    data.validation_fraction = 0.15  # of all images; the checkpoint is chosen on them
    data.test_fraction = 0.2  # of all images; evaluated once, at the end (crossval: 1 / cv.folds)
    data.split_seed = 0  # another seed, another split
    data.split_file = ""  # a saved split (JSON) to use again; '': drawn by split_seed
    data.oversample = False  # repeat whole classes until they are as equal as whole factors allow
    data.threads = 2  # that decode and augment
    data.prefetch = 4  # batches made ahead of the step
    return data


def _table() -> ConfigDict:
    table = ConfigDict()
    table.file = "images.csv"  # the table, in data.dir; its first line names the columns
    table.delimiter = ","
    table.image = (
        "{image}"  # path in data.dir: {COLUMN} is its cell; {COLUMN|old|new} the cell with
    )
    table.mask = "{mask}"  # a text exchanged, such as 'Masks/{ID|bus|mask}.png'; normal: not read
    table.label = "label"  # column of the class
    table.labels = ""  # classes of other labels, such as 'B=benign,M=malignant'
    table.group = ""  # column of the patient or case, never parted by a split; '': each its own
    return table


def _augment() -> ConfigDict:
    augment = ConfigDict()
    augment.enabled = True  # False: images as they are
    augment.flip_horizontal = 0.5  # probability
    augment.flip_vertical = 0.0  # probability; a B-mode image has an up and a down
    augment.affine = 0.8  # probability of one random affine map, drawn from the next four
    augment.rotate = 15.0  # degrees, at most, either way
    augment.scale = 0.15  # relative zoom, at most, in or out
    augment.shear = 5.0  # degrees, at most, either way
    augment.translate = 0.08  # of the image's side, at most, either way
    augment.elastic = 0.2  # probability of an elastic distortion
    augment.elastic_alpha = 0.03  # largest displacement, of the image's side
    augment.elastic_sigma = 0.08  # smoothness of the displacements, of the image's side
    augment.brightness = 0.1  # added grey level in [0, 1], at most, either way
    augment.contrast = 0.2  # relative change of contrast, at most, either way
    augment.gamma = 0.2  # |log gamma|, at most
    augment.speckle = 0.2  # probability of multiplicative noise
    augment.speckle_sigma = 0.1  # its standard deviation, at most
    augment.blur = 0.1  # probability of a Gaussian blur
    augment.blur_sigma = 0.008  # its standard deviation, at most, of the image's side
    return augment


def _loss() -> ConfigDict:
    loss = ConfigDict()
    loss.dice = 1.0  # weight of the Dice loss within the mask's loss
    loss.bce = 1.0  # weight of the binary cross-entropy within the mask's loss
    loss.segmentation = 1.0  # weight of the mask's loss
    loss.classification = 0.5  # weight of the class's loss; 0: segmentation only
    loss.classifier = "cross_entropy"  # 'cross_entropy' | 'focal'
    loss.focal_gamma = 2.0  # focusing parameter of the focal loss
    loss.label_smoothing = 0.0  # of the class's target
    loss.weighting = "fixed"  # 'fixed' (the weights above) | 'uncertainty' (learnt)
    return loss


def _optim() -> ConfigDict:
    optim = ConfigDict()
    optim.learning_rate = 2e-3  # at its peak
    optim.final_fraction = 0.01  # of the peak, at the end of the cosine
    optim.warmup_fraction = 0.05  # of all steps, linear from 0
    optim.weight_decay = 1e-4  # AdamW, on kernels only
    optim.clip_norm = 1.0  # largest global norm of the gradient; 0: no clipping
    optim.ema_decay = 0.99  # moving average of the weights, used for evaluation; 0: none
    optim.encoder_rate = 1.0  # learning rate of the encoder, as a factor
    optim.encoder_frozen_epochs = 0  # epochs at the start in which the encoder stays as it is
    optim.micro_batches = 1  # parts of a batch whose gradients are added up, one after the other
    return optim


def _train() -> ConfigDict:
    train = ConfigDict()
    train.batch_size = 8  # images a step, over all devices
    train.eval_batch_size = 32  # images a step when evaluating, over all devices
    train.epochs = 13  # times all training images are seen
    train.init_from = ""  # folder of a run to start from; '': from weights that are drawn
    train.init_parts = "all"  # of that run: 'all' that fits | 'encoder'
    train.checkpoint_epochs = 1  # epochs between two checkpoints
    train.monitor = "dice_average+accuracy"  # validation scores whose sum chooses the checkpoint
    train.skip_nonfinite = 0  # updates in a row left out for NaN or infinity; one more: the end
    train.lock_timeout = 60  # seconds without a sign of life that end another host's hold of a run
    return train


def _cv() -> ConfigDict:
    cv = ConfigDict()
    cv.folds = 5  # of --mode=crossval; each is the test set once
    cv.seed = 0  # another seed, other folds
    cv.only = ""  # folds to run, such as '2' or '0,3'; '': all
    return cv


def _inference() -> ConfigDict:
    inference = ConfigDict()
    inference.flips = "none"  # views that are averaged: 'none' | 'horizontal' (2) | 'both' (4)
    inference.members = ""  # folders of runs, joined by ',', whose probabilities are averaged with
    inference.threshold = "fixed"  # of the mask: 'fixed' (0.5) | 'validation' (of highest Dice)
    inference.temperature = (
        "none"  # of the class: 'none' (1) | 'validation' (of highest likelihood)
    )
    inference.largest = 0  # connected parts of the mask that are kept, largest first; 0: all
    return inference


def _parallel() -> ConfigDict:
    parallel = ConfigDict()
    parallel.map = "shard_map"  # 'shard_map' (under jit) | 'pmap'
    parallel.devices = 0  # devices to use; 0: all
    # how hard XLA looks for the fastest convolutions of a GPU, which takes most of compiling there:
    # 0 (not at all; they may be 100 times slower), 1 to 3, 4 (XLA's default: checks the results)
    parallel.autotune = 4
    parallel.timeout = 300  # seconds that one of several processes waits for another
    return parallel
