"""What training made: runs, versions and their files, and what was predicted with them."""
