mkdir -p checkpoints
echo "$@" > checkpoints/last.ckpt
