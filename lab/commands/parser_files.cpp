#include "commands/parser.hpp"

namespace lab::commands {
namespace {

const std::map<std::string, Format> kFormats = {
    {"text", Format::text}, {"json", Format::json}, {"jsonl", Format::jsonl}};

}  // namespace

CLI::Option* add_words(CLI::App& command, const std::string& option, std::vector<std::string>& words,
                       const std::string& type, const std::string& text) {
  return command.add_option(option, words, text)->type_name(type)->allow_extra_args(false);
}

void add_list(Parser& parser) {
  std::shared_ptr<ListArguments> a;
  auto& c = parser.command("list", "List the catalogue", list, a);
  add_words(c, "--tag", a->tags, "TAG", "Only those with this tag");
  c.add_flag("--rules", a->rules, "Rule files and rulesets instead of scenarios");
  c.add_flag("--names", a->names_only, "Names alone, one a line");
  add_choice(c, "-o,--output", a->format, kFormats, "Text, or an array of objects");
}

void add_show(Parser& parser) {
  std::shared_ptr<ShowArguments> a;
  auto& c = parser.command("show", "Print a scenario file", show, a);
  c.add_option("scenario", a->name, "Name or file")->required()->type_name("NAME|FILE");
  c.add_flag("--nft", a->nft, "Its rules, as the kernel prints them back");
}

void add_check(Parser& parser) {
  std::shared_ptr<CheckArguments> a;
  auto& c = parser.command("check", "Read scenario and rule files, run nothing, tell every mistake", check, a);
  c.add_option("file", a->files, "Files, or names of the catalogue")->required()->type_name("FILE");
}

void add_new(Parser& parser) {
  std::shared_ptr<NewArguments> a;
  auto& c = parser.command("new", "Write a commented scenario file to start from", make_new, a);
  c.add_option("name", a->name, "NAME, or a file")->required()->type_name("NAME");
  c.add_option("--from", a->from, "Copy this scenario, comments included")->type_name("NAME|FILE");
}

void add_causes(Parser& parser) {
  std::shared_ptr<NoArguments> a;
  parser.command("causes", "List the causes that a verdict can name", causes, a);
}

void add_schema(Parser& parser) {
  std::shared_ptr<SchemaArguments> a;
  auto& c = parser.command("schema", "Print the JSON schema of scenario files, for TOML editors", schema, a);
  c.add_flag("--rules", a->rules, "That of rule files");
}

void add_doctor(Parser& parser) {
  std::shared_ptr<DoctorArguments> a;
  auto& c = parser.command("doctor", "Tell what this machine can do, and how to mend what it can't", doctor, a);
  c.add_flag("--rootless", a->rootless, "Judge without root outside, although root");
  add_choice(c, "-o,--output", a->format, kFormats, "Text, or an object");
}

}  // namespace lab::commands
