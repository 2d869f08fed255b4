// JSON schemas of the two file formats, for TOML editors: made from the same tables as the reader.
#pragma once

#include <string>

namespace lab::scenario {

// JSON Schema draft 7, which TOML language servers speak. What they accept may still be a mistake: names that must
// meet, and what is written inside of texts, only the reader knows.
std::string scenario_schema();
std::string rules_schema();

}  // namespace lab::scenario
