//! The rule by which reports count, as text. It is printed on every report, so it is the contract:
//! code that counts otherwise is wrong.

/// The rule. One sentence is one line.
pub const RULE: &str = "\
Every moment of an experiment counts as exactly one of: ok, degraded, flapping, down, unknown, maintenance, own downtime.
Availability is (ok + degraded) / (ok + degraded + flapping + down). Unknown, maintenance and own downtime are shown and do not count.
Own downtime is when labwatch did not run or could not write; maintenance is what was planned as such; own downtime goes before maintenance, and both before evaluated health.
Before an experiment was first evaluated, and after it was removed, it is unknown. What is still to come when a report is made is not counted.
A person's hold in book changes nothing here: the experiment counts as it was found.
Booked time is when there was at least one booking: from its start to its end, or to when it vanished from book while it ran. A booking that vanished before its start was cancelled and does not count.
A failure begins when an experiment is found down or flapping outside maintenance and own downtime, and ends when it is found ok or degraded; time without evaluation in between does not end it. It counts in the month in which it began.
Hours between failures are usable hours for each failure. Minutes to restore are the mean of failures of which both ends were seen, and count in the month in which they ended.
Failures per 100 booked hours are failures that began within booked time, for each 100 hours of it that were evaluated.
The usual time to restore is the median and the 80th percentile (nearest rank) by the most severe symptom; it is hidden under 5 cases.
Student-minutes lost are minutes of bookings in which the experiment was down or flapping, for each student. A session is spoiled when it lost 5 minutes or more, or all of it where it is shorter.
A withdrawal is regretted when the experiment was usable within 5 minutes after it. A booking is missed when book says that it could not be started, and we found the experiment usable all the while.
An experiment counts in the pools in which it is when the report is made. A pool's numbers are the sums of its experiments' numbers. Months and days begin in the named time zone.";
