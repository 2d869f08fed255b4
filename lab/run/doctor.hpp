// What this machine can do. Every answer is a try: in a sandbox that ends at once, or a child of its own.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lab::run {

struct Ability {
  std::string kind;  // "namespace", "sandbox", "netfilter", "seccomp", "collector", "root"
  std::string name;  // of a collector: what --without takes
  bool yes = false;
  std::string why;   // when not, the kernel's own words where there are any
  std::string fix;   // what to type or to install; "" where nothing helps
  std::string loss;  // what a run does without it
};

// `rootless`: judge as if lab had no root outside.
std::vector<Ability> examine_machine(bool rootless = false);

// ---- its parts

// Inside a furnished sandbox: tries of netfilter's features, filters, and the collectors that live there.
std::vector<Ability> examine_inside();
std::vector<Ability> examine_netfilter();

// Calls `work`, which throws where something lacks: yes, or no with what it threw.
Ability tried(Ability what, const std::function<void()>& work);

}  // namespace lab::run
