"""What the ingest stage works with, in reading order; what was named lies in `pipeline.sources`, formats in `pipeline.readers`.

plan            what was named -> each file and its format, its settings checked
entries         what was named -> the path, the format and the other settings of each
sorting         entries -> all sources, sorted by name; of a folder's files only the paths
finding         entries -> sources, one by one
opening         a planned source -> itself, or the members of an archive
settings        a source's settings, its own and those for all
hashing         packs of planned sources -> what they are on the disk, and the bytes of small texts
reading         a planned source -> documents, rejections and remarks
texts_at_once   the small texts of a pack -> documents, all in one go
threads         rows of a table -> conversations: the rows of one thread are its turns
forming         rows of a source -> documents, and rejections of those that are none: the same for every format
parts           documents and rejections as they come -> the shards of an artifact
"""
