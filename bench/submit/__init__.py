"""How fast a job can be handed over: the tutorials' gateway and ours, under one load tool."""
