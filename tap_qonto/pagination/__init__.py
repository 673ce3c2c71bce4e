"""How a list that moves is read whole; knows neither Singer nor HTTP."""
