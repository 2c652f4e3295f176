"""Architecture search: a funnel from many declared configurations, over cost and time, to trained finalists."""
