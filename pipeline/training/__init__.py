"""What stands around a training: facts of its data, what is kept of it, how it went in words, what it made put to use.

Reading order: `parent` (rows and tokenizer of a tokenize artifact), `facts` (what verdict, report and model card are told),
`keeping` (the files that are written), `words` (for a terminal), `using` (answers to prompts, one merged model).
"""
