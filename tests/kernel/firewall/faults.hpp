// A connection that faults are tried on, in both families.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "place.hpp"
#include "rules.hpp"
#include "wire.hpp"

namespace lab::test {

inline Rule acting(const std::string& name, RuleAction action, const std::function<void(Rule&)>& change = {}) {
  auto rule = counting(name, change);
  rule.action = action;
  return rule;
}

// A client and its server's end.
struct Pair {
  Server listener;
  sys::Descriptor client, server;
  explicit Pair(Family family) : listener(family), client(dial(family)), server(listener.accept()) {}
};

inline std::string family_name(const ::testing::TestParamInfo<Family>& of) {
  return std::string(scenario::name_of(of.param));
}

class PerFamily : public ::testing::TestWithParam<Family> {
 protected:
  static Family family() { return GetParam(); }
};

}  // namespace lab::test
