#include "report/sections.hpp"
namespace lab::report {
void write_ladder(std::ostream&, const Report&, const TextOptions&) {}
}  // namespace lab::report
