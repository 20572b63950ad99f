"""Projects of Pivot 0.1 to 0.5: `pivot import-pivot` takes their tracked data over.

Their files are read as untrusted data and in these modules only. Hints for names that pipelines of that time use are in
`host.earlier_names`.
"""
