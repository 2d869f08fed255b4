#include "scenario/family.hpp"

#include "scenario/names.hpp"
#include "scenario/network.hpp"
#include "scenario/values.hpp"

namespace lab::scenario {
namespace {

struct Seen {
  bool ipv4 = false, ipv6 = false;
  void add(std::string_view endpoint) {
    if (endpoint.starts_with("localhost:")) return;
    const auto parsed = parse_endpoint(endpoint, Family::ipv4);
    if (parsed) (family_of(parsed->host) == Family::ipv4 ? ipv4 : ipv6) = true;
  }
};

void look_at_actor(const Node& actor, Seen& seen) {
  if (const auto* listen = actor.find("listen"); listen && listen->kind == Node::string) seen.add(listen->text);
  const auto* steps = actor.find("steps");
  if (!steps) return;
  for (const auto& step : steps->items) {
    constexpr std::string_view kConnect = "connect ";
    if (step.kind != Node::string || !step.text.starts_with(kConnect)) continue;
    const auto rest = std::string_view(step.text).substr(kConnect.size());
    seen.add(rest.substr(0, rest.find(' ')));
  }
}

class Switch {
 public:
  Switch(Reading& reading, Family family) : reading_(reading), family_(family) {}

  void endpoint(std::optional<Endpoint>& endpoint, const Place& place) const {
    if (endpoint) endpoint->host = address(endpoint->host, place);
  }

  // A network's prefix length goes to the whole address in the other family.
  void word(std::string& word, const Place& place) const {
    const auto slash = word.find('/');
    const auto host = address(word.substr(0, slash), place);
    const auto family = family_of(host);
    word = host;
    if (slash != word.npos && family) word += *family == Family::ipv4 ? "/32" : "/128";
  }

  void steps(std::vector<Step>& steps) const {
    for (auto& step : steps) {
      endpoint(step.endpoint, step.place);
      const bool named = step.verb == Verb::address || step.verb == Verb::route;
      if (named && step.words.size() > 1) word(step.words[1], step.place);
      this->steps(step.body);
    }
  }

 private:
  std::string address(const std::string& written, const Place& place) const {
    if (auto other = counterpart(canonical(written))) return *other;
    if (family_of(written) != family_) {
      const auto flag = family_ == Family::ipv4 ? "-4" : "-6";
      reading_.mistake(place, "'" + written + "' has no counterpart in " + std::string(name_of(family_)),
                       std::string("run it without ") + flag);
    }
    return written;
  }

  Reading& reading_;
  Family family_;
};

}  // namespace

Family family_written(const Node& root) {
  Seen seen;
  for (const auto& role : kRoles) {
    const auto* node = root.find(role.name);
    if (!node) continue;
    look_at_actor(*node, seen);
    for (const auto& item : node->items) look_at_actor(item, seen);
  }
  return seen.ipv6 && !seen.ipv4 ? Family::ipv6 : Family::ipv4;
}

void switch_family(Reading& reading, const std::vector<const Node*>& nodes, Family family, Scenario& scenario) {
  if (scenario.network.family == family) return;
  scenario.network.family = family;
  const Switch other(reading, family);
  for (std::size_t i = 0; i < scenario.actors.size(); ++i) {
    auto& actor = scenario.actors[i];
    const auto* listen = nodes[i]->find("listen");
    other.endpoint(actor.listen, listen ? listen->place() : actor.place);
    other.steps(actor.steps);
  }
}

}  // namespace lab::scenario
