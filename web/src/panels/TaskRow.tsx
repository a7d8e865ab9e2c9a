// One task, with what can be done to it at once. A change shows before the server confirms it, and is taken back when
// the server refuses.
import { useMutation } from "@tanstack/react-query";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Icon } from "../ui/Icon.tsx";
import { Trash } from "../ui/Trash.tsx";
import { useNotify } from "../ui/notify.tsx";
import type { Task } from "../wire.ts";
import { repeats } from "./repeats.ts";

export function useTaskChange(task: Task) {
  const live = useLive();
  const notify = useNotify();
  return useMutation({
    mutationFn: (action: "complete" | "reopen" | "delete") =>
      live.client.json<Task | { deleted: true }>("/api/v1/tasks", {
        method: "POST",
        body: { action, task: { id: task.id } },
        key: newId("k"),
      }),
    onMutate: (action) => {
      live.change((brain) => {
        const { [task.id]: _, ...others } = brain.tasks;
        const status: Task["status"] = action === "complete" ? "done" : "open";
        return { ...brain, tasks: action === "delete" ? others : { ...others, [task.id]: { ...task, status } } };
      });
    },
    onError: (error) => {
      live.change((brain) => ({ ...brain, tasks: { ...brain.tasks, [task.id]: task } }));
      notify(error);
    },
    onSuccess: (answer) => {
      if ("id" in answer && "title" in answer) {
        live.change((brain) => {
          const known = brain.tasks[answer.id];
          const isNews = known === undefined || answer.version >= known.version;
          return isNews ? { ...brain, tasks: { ...brain.tasks, [answer.id]: answer } } : brain;
        });
      }
    },
  });
}

export function TaskRow({ task }: { task: Task }) {
  const { t } = useI18n();
  const change = useTaskChange(task);
  const done = task.status === "done";
  const isReminder = task.due?.includes("T") ?? false;
  const isLate = !done && task.dueAt !== null && Date.parse(task.dueAt) < Date.now();
  return (
    <div className={`task ${task.status}${change.isPending ? " pending" : ""}`} data-task={task.id}>
      <label>
        <input
          type="checkbox"
          checked={done}
          onChange={() => change.mutate(done ? "reopen" : "complete")}
          aria-label={t(done ? "reopenTask" : "completeTask", { title: task.title })}
        />
        <span className="task-title">{task.title}</span>
      </label>
      <Trash label={t("deleteTask", { title: task.title })} onDelete={() => change.mutate("delete")} />
      {(task.due !== null || task.tags.length > 0 || task.priority === "high") && (
        <p className="about">
          {task.due !== null && (
            <span className={isLate ? "due late" : "due"}>
              {isReminder && <Icon name="bell" />}
              {isReminder ? t.date(task.due) : t.day(task.due)}
              {isLate && ` · ${t("late")}`}
            </span>
          )}
          {task.recurrence !== null && (
            <span className="due">
              <Icon name="redo" />
              {repeats(t, task.recurrence)}
            </span>
          )}
          {task.priority === "high" && <span className="tag high">{t("priority_high")}</span>}
          {task.tags.map((tag) => (
            <span key={tag} className="tag">
              {tag}
            </span>
          ))}
        </p>
      )}
    </div>
  );
}
