"""Rows and models small enough to compare with dense float64 arithmetic."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

QUESTIONS = [
    "Bought furniture from Mehta for 12,000",
    "Sold goods to Rao for ₹ 450 in cash, less 10 % trade discount",
    "Paid rent",
    "What is depreciation?",
    "Is drawings an asset or a liability of the firm?",
    "Received 9,500 from Khan by cheque",
]
ANSWERS = [
    "Debit Furniture 12,000; Credit Mehta 12,000.",
    "Debit Cash 405; Credit Sales 405.",
    "Debit Rent; Credit Cash.",
    "The fall in an asset's value.",
    "Neither.",
    "Debit Bank 9,500; Credit Khan 9,500.",
]


def tiny_model(tokenizer, *, extra=0, dropout=0.0, seed=0, width=16, layers=2):
    """A GPT-2 with weights large enough that every mistake shows in its logits."""
    config = GPT2Config(
        vocab_size=len(tokenizer) + extra,
        n_positions=128,
        n_embd=width,
        n_layer=layers,
        n_head=2,
        initializer_range=0.3,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return GPT2LMHeadModel(config).eval()
