"""When and where workflows run: the queue, its workers, schedules."""
