"""What a user might send: read a table, print a summary, leave a chart."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

cargo = pd.read_csv("/workspace/cargo.csv")
table = cargo.pivot_table(index="month", columns="port", values="containers", aggfunc="sum", margins=True,
                          margins_name="total")
print(table.to_string())

months = table.drop("total")
positions = np.arange(len(months))
slope, start = np.polyfit(positions, months["total"], 1)
print(f"\ntrend: {slope:+.1f} containers a month")

figure, (bars, line) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
months.drop(columns="total").plot.bar(ax=bars, rot=45, title="Containers by port",
                                          ylim=(0, 1.2 * months.drop(columns="total").to_numpy().max()))
bars.legend(loc="upper center", ncols=3)
line.plot(months.index, months["total"], marker="o", label="total")
line.plot(months.index, start + slope * positions, linestyle="--", label="trend")
line.set_title("All ports")
line.tick_params(axis="x", rotation=45)
line.legend()
figure.savefig("/artifacts/report.png", dpi=100)

with Image.open("/artifacts/report.png") as picture:
    picture.thumbnail((250, 100))
    picture.save("/artifacts/thumbnail.png")
