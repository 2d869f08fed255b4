// Which of those who were let down was the first whose complaint says why it ended.
#include <algorithm>

#include "verdict/case.hpp"

namespace lab::verdict {
namespace {

using What = Complaint::What;

// A reset or FIN that an end sent because it had itself waited in vain: its own complaint comes first, although its
// call returned a moment after the segment had left.
const Complaint* behind_it(const std::vector<Complaint>& all, const Complaint& first, const Case& one) {
  const bool closed = first.what == What::cut || first.what == What::eof || first.what == What::reset;
  if (!closed || !one.closing.any) return nullptr;
  for (const auto& c : all) {
    if (c.victim != one.closing.from || c.victim == first.victim || !c.deed) continue;
    const bool around = c.deed->start <= one.closing.at.t && c.deed->end >= one.closing.at.t - 1'000'000;
    if (c.what == What::starved && c.deed->error && around) return &c;
    if (c.what == What::failed && c.deed->start <= one.closing.at.t && c.deed->end <= one.closing.at.t + 1'000'000)
      return &c;
  }
  return nullptr;
}

// TCP itself says that this end gave up waiting, or its side of the wire shows it.
std::optional<Complaint> gave_up(const Case& one, const Complaint& first) {
  if (!one.closing.any || one.closing.foreign() || (first.what != What::cut && first.what != What::eof))
    return std::nullopt;
  const Who who = one.closing.from;
  const auto& built = one.conn.built[who];
  const bool told = std::any_of(built.begin(), built.end(),
                                [](const KernelReset& r) { return r.reason.find("TIMEOUT") != std::string::npos; });
  const auto& closers = one.conn.acts[who].closers;
  const bool counted = !one.closing.fin && closers.empty() && one.conn.stream[who].rst_acks &&
                       one.facts.counter("TcpExtTCPAbortOnTimeout") > 0 && !one.acts_known(who);
  const auto then = one.conn.at_closing.value_or(progress_of(one.conn));
  const Who peer = other(who);
  const bool repeating =
      !one.acts_known(who) && ((then[peer].open && then[peer].repeats) || (then[who].open && then[who].repeats > 1));
  if (!told && !counted && !repeating) return std::nullopt;
  return Complaint{
      .what = What::starved, .victim = who, .at = one.closing.at, .owed = true, .weak = !told, .then = then};
}

// A reset does an end that has closed no harm: it is the last of a process that died before it had read what came.
std::optional<Complaint> died_unread(const Case& one, const Complaint& first) {
  if (first.what != What::cut || !one.closing.fin || one.closing.from != first.victim) return std::nullopt;
  const Who who = other(first.victim);
  if (one.conn.acts[who].read >= one.conn.stream[first.victim].bytes) return std::nullopt;
  if (who == Who::server && one.unaccepted().value_or(true)) return std::nullopt;
  const auto closer = one.closer(who);
  if (closer.how != Closer::How::signalled || !closer.process) return std::nullopt;
  const auto& process = *closer.process;
  if (process.last && !process.last->pending && process.last->end > first.at.t + kSlack) return std::nullopt;
  for (const auto& signal : process.signals)
    if (signal.sent.signal == process.signal && signal.at.t > first.at.t + kSlack) return std::nullopt;
  return Complaint{.what = What::died, .victim = who, .at = first.at, .owed = true, .then = first.then};
}

// It asked again after waiting in vain, nothing was on its way then, and the other end wrote after all: what became of
// that ended the connection.
bool got_over(const Complaint& c, const Case& one) {
  if (c.what != What::starved || !one.acts_known(Who::client) || !one.acts_known(Who::server)) return false;
  const Who peer = other(c.victim);
  const auto &theirs = c.then[peer], &own = c.then[c.victim];
  if (theirs.open || own.open || theirs.writing || theirs.written != theirs.sent) return false;
  const auto& mine = one.conn.acts[c.victim];
  const auto& answer = one.conn.acts[peer].last_write;
  const bool gave_up =
      std::any_of(mine.closers.begin(), mine.closers.end(), [&](const Deed& deed) { return deed.start <= answer.t; });
  return mine.last_write.t > c.at.t && answer.t > c.at.t && !gave_up;
}

void drop_got_over(std::vector<Complaint>& all, const Case& one) {
  if (all.empty()) return;
  const auto last =
      std::max_element(all.begin(), all.end(), [](const Complaint& a, const Complaint& b) { return a.at.t < b.at.t; });
  std::erase_if(all, [&, end = last->at.t](const Complaint& c) { return c.at.t < end && got_over(c, one); });
}

}  // namespace

std::optional<Complaint> first_complaint(const Case& one) {
  auto all = complaints(one);
  drop_got_over(all, one);
  if (all.empty()) return std::nullopt;
  const auto first =
      std::min_element(all.begin(), all.end(), [](const Complaint& a, const Complaint& b) { return a.at.t < b.at.t; });
  if (const auto* cause = behind_it(all, *first, one)) return *cause;
  if (auto waited = gave_up(one, *first)) return waited;
  if (auto died = died_unread(one, *first)) return died;
  // The call that failed says more than the reset on the wire that failed it.
  if (first->what == What::cut)
    for (const auto& c : all)
      if (c.victim == first->victim && (c.what == What::reset || c.what == What::eof) && c.deed) {
        auto told = c;
        told.at = first->at;
        told.then = first->then;
        return told;
      }
  return *first;
}

}  // namespace lab::verdict
