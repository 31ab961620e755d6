"""EDGE. What a job on GitHub has to do with a pull request: what its runner says, and the comment that it keeps."""
