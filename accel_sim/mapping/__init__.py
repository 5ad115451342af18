"""Tiling: the loop nest around the array, what each level keeps of it, and the search for the best one."""
