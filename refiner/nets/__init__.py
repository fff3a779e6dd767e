"""Networks: plain torch modules, without Lightning."""
