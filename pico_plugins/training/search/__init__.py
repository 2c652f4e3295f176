"""Architecture search: a funnel from many declared configurations, over cost and measured time, to trained finalists."""
