"""What dbt makes of the rows that the demo loaded: four marts, and a page of pictures."""
