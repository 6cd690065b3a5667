"""What a study gives away: a data set without texts, and a bundle from which the study can be made again."""
