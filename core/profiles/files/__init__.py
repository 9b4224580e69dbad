"""Files of people in every format: opened, unpacked and read in chunks of rows; and written."""
