#include "run/channel.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <sstream>

#include "evidence/file.hpp"
#include "system/error.hpp"

namespace lab::run {

namespace {

constexpr char kEvidence = 'E', kOperator = 'O', kSeccomp = 'S', kFailure = 'F', kReady = 'R', kTimes = 'T',
               kRule = 'H', kAttach = 'A';
constexpr std::size_t kHeader = 5;            // length of the payload in four bytes, kind in one
constexpr std::size_t kFlushAt = 256 * 1024;  // bytes; keeps init's memory flat under long runs

}  // namespace

void Teller::frame(char kind, std::string_view payload) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  char header[kHeader];
  std::memcpy(header, &length, sizeof length);
  header[4] = kind;
  buffer_.append(header, kHeader).append(payload);
}

void Teller::put(evidence::Event event) {
  if (see_) see_(event);
  evidence_ += evidence::to_record(event);
  ++events_;
  if (evidence_.size() > kFlushAt) flush();
}

void Teller::account(const evidence::Collector& collector) { evidence_ += evidence::to_record(collector); }

void Teller::operator_step(const evidence::StepDone& step) {
  frame(kOperator, evidence::to_record(evidence::Event{.t_ns = step.end_ns, .what = step}));
}

void Teller::seccomp(const FaultCount& count) {
  frame(kSeccomp, fmt::format("{} {} {}", count.count, count.unobserved ? 1 : 0, count.name));
}

void Teller::rule(const report::RuleLine& rule) {
  frame(kRule, fmt::format("{} {} {}\n{}\n{}", rule.packets, rule.bytes, rule.name, rule.place, rule.text));
}

void Teller::failure(Failure kind, const std::string& reason) {
  frame(kFailure, fmt::format("{} {}", static_cast<int>(kind), reason));
}

void Teller::ready() { frame(kReady, {}); }
void Teller::attach() { frame(kAttach, {}); }

void Teller::times(std::int64_t started, std::int64_t acting, std::int64_t ended, RunEnd end) {
  if (!evidence_.empty()) frame(kEvidence, std::exchange(evidence_, {}));
  frame(kTimes, fmt::format("{} {} {} {}", started, acting, ended, static_cast<int>(end)));
}

void Teller::flush() {
  if (!evidence_.empty()) frame(kEvidence, std::exchange(evidence_, {}));
  std::string_view left = buffer_;
  while (!left.empty()) {
    const auto n = ::write(pipe_.get(), left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    left.remove_prefix(static_cast<std::size_t>(sys::check(n, "write the evidence pipe")));
  }
  buffer_.clear();
}

void Listener::take(std::string_view bytes) {
  buffer_.append(bytes);
  std::size_t at = 0;
  while (buffer_.size() - at >= kHeader) {
    std::uint32_t length = 0;
    std::memcpy(&length, buffer_.data() + at, sizeof length);
    if (buffer_.size() - at < kHeader + length) break;
    message(buffer_[at + 4], std::string_view(buffer_).substr(at + kHeader, length));
    at += kHeader + length;
  }
  buffer_.erase(0, at);
}

void Listener::message(char kind, std::string_view payload) {
  std::istringstream words{std::string(payload)};
  switch (kind) {
    case kEvidence:
      evidence::take_records(
          payload,
          {.event = [&](evidence::Event&& e) { gathered_.timeline.events.push_back(std::move(e)); },
           .collector =
               [&](evidence::Collector&& c) { gathered_.timeline.provenance.collectors.push_back(std::move(c)); }});
      break;
    case kOperator:
      evidence::take_records(payload,
                             {.event =
                                  [&](evidence::Event&& e) {
                                    gathered_.operator_steps.push_back(std::get<evidence::StepDone>(std::move(e.what)));
                                  },
                              .collector = {}});
      break;
    case kSeccomp: {
      FaultCount count{.kind = "seccomp"};
      words >> count.count >> count.unobserved >> std::ws;
      std::getline(words, count.name);
      gathered_.seccomp.push_back(std::move(count));
      break;
    }
    case kFailure: {
      int failure = 0;
      words >> failure >> std::ws;
      if (gathered_.failure != Failure::none) break;  // the first is the cause of those behind it
      gathered_.failure = static_cast<Failure>(failure);
      std::getline(words, gathered_.reason, '\0');
      break;
    }
    case kRule: {
      report::RuleLine rule;
      words >> rule.packets >> rule.bytes >> std::ws;
      std::getline(words, rule.name);
      std::getline(words, rule.place);
      std::getline(words, rule.text, '\0');
      gathered_.rules.push_back(std::move(rule));
      break;
    }
    case kReady:
      if (wishes_.ready) wishes_.ready();
      break;
    case kAttach:
      if (wishes_.attach) wishes_.attach();
      break;
    case kTimes: {
      int end = 0;
      words >> gathered_.started_ns >> gathered_.acting_ns >> gathered_.ended_ns >> end;
      gathered_.end = static_cast<RunEnd>(end);
      whole_ = true;
      break;
    }
    default:
      throw sys::LabError(fmt::format("the sandbox sent a message of unknown kind {}", static_cast<int>(kind)));
  }
}

}  // namespace lab::run
