// What an actor leaves to be told when all have ended: what became of its steps, and how often its filter fired.
#pragma once

#include "run/recipe.hpp"

namespace lab::run {

// `notifier`: null only where the actor has no filter.
void report(const scenario::Actor& what, const actors::Actor& actor, const sandbox::Notifier* notifier, Teller& teller);

}  // namespace lab::run
