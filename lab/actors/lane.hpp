// The step interpreter: one thread of execution that goes through steps and records each.
#pragma once

#include <array>

#include "actors/process.hpp"

namespace lab::actors {

class Lane {
 public:
  Lane(Process& process, Instance& instance);

  // The actor's steps, as often as it repeats them. Returns when they are done or one of them ended them.
  void perform();

 private:
  friend class Verbs;
  enum class Next { go_on, end };  // of the steps
  using Handler = Next (Lane::*)(const Op&, Entry&);
  using Handlers = std::array<Handler, static_cast<std::size_t>(scenario::Verb::kill) + 1>;
  static const Handlers kHandlers;

  Next run(std::uint32_t from, std::uint32_t to);
  Next step(const Op& op, std::uint32_t index);
  void become_current_thread();
  std::uint32_t index_of(const Op& op) const;

  // any
  Next sleep(const Op&, Entry&);
  Next signal(const Op&, Entry&);
  Next wait(const Op&, Entry&);
  Next fork(const Op&, Entry&);
  Next exec(const Op&, Entry&);
  Next exit(const Op&, Entry&);
  Next abort(const Op&, Entry&);
  Next crash(const Op&, Entry&);
  Next raise(const Op&, Entry&);
  Next print(const Op&, Entry&);
  // on a connection
  Next connect(const Op&, Entry&);
  Next accept(const Op&, Entry&);
  Next send(const Op&, Entry&);
  Next recv(const Op&, Entry&);
  Next recv_exactly(const Op&, Entry&);
  Next recv_until_eof(const Op&, Entry&);
  Next expect(const Op&, Entry&);
  Next wait_unread(const Op&, Entry&);
  Next shutdown(const Op&, Entry&);
  Next close(const Op&, Entry&);
  Next reset(const Op&, Entry&);
  Next option(const Op&, Entry&);
  Next use(const Op&, Entry&);
  Next relay(const Op&, Entry&);
  Next close_listener(const Op&, Entry&);
  Next start_thread(const Op&, Entry&);
  // on resources
  Next open_files(const Op&, Entry&);
  Next allocate(const Op&, Entry&);
  Next spawn_threads(const Op&, Entry&);
  Next write_file(const Op&, Entry&);
  Next burn(const Op&, Entry&);
  // the operator's
  Next ask_init(const Op&, Entry&);

  // The connection that a step names, or the current one.
  Connection connection_of(const Op& op);
  void keep(const Op& op, const Connection& connection);  // as the current one, and under its name
  // Lets a socket wait as long as the step says; 0 or the errno. `option`: SO_RCVTIMEO or SO_SNDTIMEO, `held`: as it
  // is.
  static int limit(int fd, const Op& op, int option, std::int64_t& held);
  bool limit_or_fail(const Op& op, Entry& entry, int option);
  // How a receive or send ended; `total` are bytes of calls before this one.
  static void transferred(Entry& entry, const Op& op, std::int64_t result, int error, std::int64_t total,
                          bool receiving);

  Process& process_;
  Instance& instance_;
  Connection current_;
  std::int64_t accept_timeout_ = 0;  // the listener's SO_RCVTIMEO as this lane set it
  std::uint64_t turn_ = 0;
  std::int32_t pid_ = 0, tid_ = 0;
};

// What the record of a step on this connection says of it.
void tell(StepRecord& record, const Connection& connection);

}  // namespace lab::actors
