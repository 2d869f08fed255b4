#include "actors/operator.hpp"

#include "system/error.hpp"

namespace lab::actors {

void perform(const scenario::Step& step, OperatorActs& acts) {
  (void)acts;
  throw sys::LabError(step.source + ": not an operator's step");
}

}  // namespace lab::actors
