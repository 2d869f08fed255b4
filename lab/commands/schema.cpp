// lab schema: JSON schemas of the two file formats, for TOML editors.
#include "scenario/schema.hpp"

#include "commands/commands.hpp"
#include "commands/output.hpp"

namespace lab::commands {

int schema(const SchemaArguments& arguments) {
  auto output = Output::standard();
  output.stream() << (arguments.rules ? scenario::rules_schema() : scenario::scenario_schema());
  output.finish();
  return 0;
}

}  // namespace lab::commands
