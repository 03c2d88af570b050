"""The one guarded way out to the network. `guard` judges URLs without a network; `connector` makes connections."""
