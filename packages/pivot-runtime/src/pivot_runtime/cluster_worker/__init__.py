"""Stage runs on a worker of a cluster, in a process that the cluster starts: workspaces, and the way of the bytes.

The command's side, and what both sides share, is in `cluster`, which never imports this room.
"""
