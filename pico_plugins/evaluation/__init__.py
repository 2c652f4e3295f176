"""Rate-distortion measurements against other codecs: real files, made by real encoders. Needs the extra ``bench``."""
