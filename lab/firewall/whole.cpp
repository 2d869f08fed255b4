#include "firewall/whole.hpp"

#include <fmt/format.h>

#include <charconv>
#include <sstream>

#include "firewall/counts.hpp"
#include "firewall/library.hpp"

namespace lab::firewall {

namespace {

void define_variables(Nftables& nft, const Flow& flow) {
  nft.define("server_port", std::to_string(flow.server_port));
  nft.define("server_address", flow.server_address);
  nft.define("client_address", flow.client_address);
}

// "(text):3:5-9: Error: …" becomes "FILE:9:5-9: Error: …" where the text begins in line 7; included files keep their
// names.
std::string placed(const std::string& message, const std::string& file, std::uint32_t first) {
  static const std::string prefix = std::string(Nftables::kText) + ":";
  if (!message.starts_with(prefix)) return message;
  std::uint32_t line = 0;
  const auto* end = message.data() + message.size();
  const auto [stop, error] = std::from_chars(message.data() + prefix.size(), end, line);
  if (error != std::errc{} || line == 0) return file + message.substr(prefix.size() - 1);
  return fmt::format("{}:{}{}", file, line + (first ? first - 1 : 0), std::string(stop, end));
}

std::string placed_all(const std::string& messages, const std::string& file, std::uint32_t first) {
  std::string all, line;
  for (std::istringstream lines(messages); std::getline(lines, line);) all += placed(line, file, first) + "\n";
  while (!all.empty() && all.back() == '\n') all.pop_back();
  return all;
}

}  // namespace

Loaded load(const std::string& text, const Flow& flow, const std::string& file, std::uint32_t line) {
  Nftables nft;
  define_variables(nft, flow);
  Loaded loaded;
  loaded.ok = nft.run_text(from_zero(text));
  loaded.messages = placed_all(nft.errors(), file, line);
  if (!loaded.ok && loaded.messages.empty())
    loaded.messages = fmt::format("{}:{}: libnftables failed without a word", file, line);
  return loaded;
}

std::string list_ruleset() {
  Nftables nft;
  nft.run("list ruleset");
  return nft.output();
}

}  // namespace lab::firewall
