// An actor's steps made ready for running: flattened, addresses in the kernel's form, names resolved. Made before the
// fork, so that steps neither allocate nor look anything up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/endpoint.hpp"

namespace lab::actors {

struct Op {
  const scenario::Step* step = nullptr;
  std::uint32_t next = 0;               // index behind it and its body; the body is [own index + 1, next)
  std::optional<SocketAddress> target;  // connect
  int connection = -1;                  // named: where in Instance's table; -1: the current one
  int a = -1, b = -1;                   // relay
  std::string text;                     // print: with its newline
  std::vector<std::string> command;     // exec: path and arguments, see program.hpp
  scenario::SocketOption option;        // option
};

struct Plan {
  std::vector<Op> ops;             // a body's follow the step that they belong to
  std::vector<std::string> names;  // of connections
  bool timeouts = false;           // some step has timeout=
  bool output = false;             // some step writes to standard output: print, exec
  bool pattern = false;            // some step writes bytes of no meaning: send SIZE, write-file
  std::size_t buffer = 64 * 1024;  // the largest send or recv in one call, at most kLargestCall
};

inline constexpr std::size_t kLargestCall = std::size_t{1} << 20;
inline constexpr std::uint64_t kRecvSize = 64 * 1024;  // recv without SIZE

// Declares the names of signal and wait on the shared board.
Plan plan_of(const scenario::Actor& actor, const Context& context);

// True where clients of these steps can be threads of one process: nothing that ends, copies, stops or limits a
// process.
bool threads_will_do(const scenario::Actor& actor);

}  // namespace lab::actors
