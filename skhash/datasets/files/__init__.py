"""Find, download and read the files of data sets: archives, pickles, image files, image lists, text files."""
