"""The page as files, which a browser shows without a server, such as an artifact of CI.

They are the server's files, and the answers to the questions that the page asks, each as a script, since a page that is
opened as a file may read nothing else. An answer that needs a server, such as a log that follows, is not among them.
"""
