// Actors on a stage: what run/ does with them, as little of it as tests need.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/actor.hpp"

namespace lab::test {

using scenario::Role;

// An actor of steps, as the scenario file would say it.
scenario::Actor acting(Role role, const std::vector<std::string>& steps);
scenario::Actor server(const std::vector<std::string>& steps, std::uint16_t port = 8080);
scenario::Actor client(const std::vector<std::string>& steps);
scenario::Actor program(Role role, const std::vector<std::string>& words);

// A network namespace with loopback up and nothing else, for the calling thread; every test starts in one.
void enter_fresh_network();

// As run/ prepares its actors: limits, no capability, filters.
void confined(const scenario::Actor& actor, std::uint32_t instance, int keep_fd);

class Troupe {
 public:
  explicit Troupe(std::vector<scenario::Actor> actors, actors::Context context = {{"127.0.0.1", 8080}, ""});
  ~Troupe();

  actors::Prepare prepare = only_standard_descriptors;
  std::function<void(const scenario::Actor& who, const std::vector<pid_t>& pids)> started;
  bool may_fail = false;  // a child's failure is what the test is about
  // Starts who listens, then the others, and ends with the clients (without one: with everybody). Whoever is left after
  // that gets until `grace` is over to end, then SIGKILL.
  void play(std::chrono::milliseconds grace = std::chrono::milliseconds(200));

  actors::Actor& operator[](std::size_t i) { return *members_[i]; }
  // "connect ok, recv 5 bytes": the steps of one instance, as "NAME OUTCOME".
  std::string told(std::size_t actor, std::uint32_t instance = 0) const;
  std::vector<std::string> outcomes(std::size_t actor, const std::string& verb) const;
  int status(std::size_t actor, std::size_t instance = 0) const;  // wait status
  std::string output(std::size_t actor) const;                    // lines, standard error's marked "! "

  static void only_standard_descriptors(const scenario::Actor&, std::uint32_t, int keep_fd);

 private:
  void start(std::size_t i);
  bool clients_ended() const;
  bool pump(std::chrono::steady_clock::time_point until);  // false: it is over
  void reap();

  std::vector<scenario::Actor> what_;
  std::vector<std::unique_ptr<actors::Actor>> members_;
  std::map<std::size_t, std::string> output_;
  std::vector<std::vector<pid_t>> pids_;
};

}  // namespace lab::test
