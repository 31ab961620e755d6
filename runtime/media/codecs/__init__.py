"""Audio codecs of the telephone leg, as plain functions over one frame of bytes."""
