// What a firewall's dump from another machine refers to that a sandbox does not have: its interfaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lab::commands {

struct ForeignName {
  std::string name;        // "eth0"
  std::uint32_t line = 0;  // from 1
  bool fatal = false;  // the kernel would refuse the ruleset for it (iif, oif, a device); else the match is never true
};
std::vector<ForeignName> foreign_names(std::string_view ruleset);

// The ruleset with each foreign name turned into the sandbox's link, lo. Rules that accept what comes by lo would then
// hide all else, though the traffic that the others meant is now on lo too: they are matched to nothing, `hidden` of
// them. So are those that translate what leaves by another link, `untranslated` of them.
struct Adapted {
  std::string text;
  std::size_t hidden = 0, untranslated = 0;
};
Adapted match_to_sandbox(std::string_view ruleset);

}  // namespace lab::commands
