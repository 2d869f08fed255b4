#include "actors/actor.hpp"
#include "scenario/verbs.hpp"

namespace lab::actors {

// The step grammar's table has it: one place for what the documentation, filters and reports say.
std::string call_of(scenario::Verb verb) { return std::string(scenario::row_of(verb).call); }

}  // namespace lab::actors
