"""HTML as authors write it: read without changing it, its styles written into elements, its text taken out."""
