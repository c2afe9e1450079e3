"""The record of learning: xAPI statements, their verbs and their validation. Values in, values out."""
