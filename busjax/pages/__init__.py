"""HTML pages that need no other file: templates, one style sheet, pictures and tables.

The code that knows the content (a run, a comparison, predictions, an audit) gathers plain values;
`templates/` turns them into HTML. Text is escaped there, and nowhere else.
"""
