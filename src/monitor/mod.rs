//! What happens while nobody looks: schedule, record, evaluate, deliver, retain.
