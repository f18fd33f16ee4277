"""What known systems call the columns of their exports, a file each."""
