"""What the clean stage works with, in reading order.

plan        the clean section of a recipe -> checked steps; presets opened up
presets     named lists of steps with the bounds of a paper
batches     shards of an artifact -> batches: what a task takes at a time
looking     a step's filter looks at documents -> its answer, a row a document
tables      tables that a run writes for itself
answers     answers kept between runs, so that a changed bound is only applied
bounds      numbers and labels meet the recipe's bounds
actions     spans are dropped, stripped, cut or redacted; what went is written down
passage     a batch goes through the steps between two points where shards wait for one another
passes      steps -> the passes that they are cut into, and where a batch waits between two of them
passing     a batch as the pass before left it -> the batch through a pass, as the next one finds it
finishing   a batch behind its last pass -> its shards of the artifact
twins       bucket keys of all shards -> verified duplicates -> for each document that goes, the twin that stays
survivors   candidates that buckets connect -> who stays; a group that is too large for a task, block by block
recurring   keys of all shards' lines -> those that too many documents share
"""
