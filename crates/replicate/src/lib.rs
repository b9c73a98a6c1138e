//! One feed among its peers as a state machine: who asks whom for what.
