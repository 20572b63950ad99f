"""HTML pages for a browser: the graph of stages, the timeline of a run, plots, and a report of all.

Each page is one file with its data, scripts and styles, which works offline. Modules put data into a page; the scripts
in `parts` draw it, with the libraries of other projects in `vendor`.
"""
