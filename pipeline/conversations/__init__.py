"""What readers take for conversations -> messages that a chat template can render, or why they are none.

Reading order:

    shapes    a row as JSON has it: alpaca, ShareGPT, OpenAI ...   -> its turns, the names and texts as they are
    rooms     a channel of Discord or Slack                        -> its conversations' turns
    calls     a turn's tool calls, a conversation's functions      -> OpenAI's list, as JSON text
    turns     the names of speakers -> roles; a batch's turns side by side, with the offsets of the conversations in them
    rules     turns         -> what is wrong with a conversation: the first fault, with the turn's number and role
    mending   turns         -> turns in order, and what was joined and left out
    settle    all of these, for a batch of whatever format
"""
